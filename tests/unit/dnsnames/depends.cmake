# The plugin's own sources: the tests drive it through its entry, as the host does.
set(dnsnames_folder ${PROJECT_SOURCE_DIR}/plugins/filters/dnsnames)
target_sources(unit_dnsnames PRIVATE ${dnsnames_folder}/dnsnames.cpp ${dnsnames_folder}/answers.cpp
                                     ${dnsnames_folder}/message.cpp)
target_include_directories(unit_dnsnames PRIVATE ${dnsnames_folder})
target_link_libraries(unit_dnsnames PRIVATE nfbus::sdk nlohmann_json::nlohmann_json)
