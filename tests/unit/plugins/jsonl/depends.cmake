# Its static list of formats is compared with the host's table.
target_include_directories(unit_plugin_jsonl PRIVATE ${PROJECT_SOURCE_DIR}/host)
target_link_libraries(unit_plugin_jsonl PRIVATE nlohmann_json::nlohmann_json)
