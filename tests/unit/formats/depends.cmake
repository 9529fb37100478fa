# Expected texts are compared as JSON.
target_link_libraries(unit_formats PRIVATE nlohmann_json::nlohmann_json)
