# The plugins that these tests load.
add_dependencies(unit_plugins plugins_bad)
target_include_directories(unit_plugins PRIVATE ${PROJECT_SOURCE_DIR}/tests/data)
