# The plugin's own sources: the tests drive it through its entry, as the host does.
set(ratelimit_folder ${PROJECT_SOURCE_DIR}/plugins/filters/ratelimit)
target_sources(unit_ratelimit PRIVATE ${ratelimit_folder}/ratelimit.cpp ${ratelimit_folder}/summary.cpp)
target_include_directories(unit_ratelimit PRIVATE ${ratelimit_folder})
target_link_libraries(unit_ratelimit PRIVATE nfbus::sdk nlohmann_json::nlohmann_json)
