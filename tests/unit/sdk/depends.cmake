target_link_libraries(unit_sdk PRIVATE nfbus::sdk)
target_sources(unit_sdk PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/sdk/abi_c11.c)

# wrong/*.cpp must not compile, and the compiler must say what the first line of the file says.
file(GLOB wrong_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/sdk/wrong/*.cpp)
foreach(file IN LISTS wrong_files)
  cmake_path(GET file STEM stem)
  file(STRINGS ${file} expected LIMIT_COUNT 1)
  string(REGEX REPLACE "^// " "" expected "${expected}")
  add_test(NAME sdk_refuses_wrong_${stem}
           COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -fsyntax-only -I${PROJECT_SOURCE_DIR}/sdk/include ${file})
  set_tests_properties(sdk_refuses_wrong_${stem} PROPERTIES PASS_REGULAR_EXPRESSION "error: .*${expected}" LABELS unit)
endforeach()
