# Records become events by decoding; expected texts are compared as JSON.
target_link_libraries(unit_event PRIVATE nfbus_formats nlohmann_json::nlohmann_json)
