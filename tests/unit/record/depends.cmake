target_include_directories(unit_record PRIVATE ${PROJECT_SOURCE_DIR}/tests/data)
