# The plugin's own sources: the tests drive it through its entry, as the host does.
set(jsonl_folder ${PROJECT_SOURCE_DIR}/plugins/sinks/jsonl)
target_sources(unit_jsonl PRIVATE ${jsonl_folder}/jsonl.cpp ${jsonl_folder}/target.cpp ${jsonl_folder}/rotation.cpp)
target_include_directories(unit_jsonl PRIVATE ${jsonl_folder})
target_link_libraries(unit_jsonl PRIVATE nfbus::sdk)
