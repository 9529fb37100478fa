target_include_directories(unit_rewrite PRIVATE ${PROJECT_SOURCE_DIR}/tests/data)
