# Another reader of JSON judges what templates make.
target_link_libraries(unit_plugin_webhook PRIVATE nlohmann_json::nlohmann_json)
