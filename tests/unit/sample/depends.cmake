# The plugin's own sources: the tests drive it through its entry, as the host does.
target_sources(unit_sample PRIVATE ${PROJECT_SOURCE_DIR}/plugins/filters/sample/sample.cpp)
target_include_directories(unit_sample PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/sdk)
target_link_libraries(unit_sample PRIVATE nfbus::sdk)
