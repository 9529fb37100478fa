target_include_directories(unit_decode PRIVATE ${PROJECT_SOURCE_DIR}/tests/data)
