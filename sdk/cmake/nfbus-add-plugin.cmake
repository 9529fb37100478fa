# nfbus_add_plugin(NAME SOURCES...): the target NAME, built as NAME.so and installed into the plugin folder below the
# prefix. C++ sources are C++20, C sources C11. They are compiled as the object library NAME_objects, which the plugin's own
# tests link to call the same code; what NAME is linked and compiled with, it is, too.
#   NFBUS_PLUGIN_OUTPUT_DIRECTORY   build it there (default: as CMake does)
#   NFBUS_PLUGIN_INSTALL_DIR        install it there (default: lib/nfbus/plugins); NONE: do not
function(nfbus_add_plugin name)
  set(objects ${name}_objects)
  add_library(${objects} OBJECT ${ARGN})
  add_library(${name} MODULE $<TARGET_OBJECTS:${objects}>)
  set_target_properties(${objects} ${name} PROPERTIES
                        POSITION_INDEPENDENT_CODE ON
                        CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
                        C_STANDARD 11 C_STANDARD_REQUIRED ON
                        # Only the entry is visible: what two plugins share by name must not become one.
                        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  # Nor what is in static libraries.
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/nfbus-plugin.map)
  target_link_options(${name} PRIVATE LINKER:--version-script=${map})
  set_target_properties(${name} PROPERTIES LINK_DEPENDS ${map})
  # g++ would make inline variables unique in the whole process, whatever their visibility.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_libraries(${name} PRIVATE nfbus::sdk)
  # What the caller says of NAME afterwards holds for the objects and for the tests that link them.
  target_link_libraries(${objects} PUBLIC $<TARGET_PROPERTY:${name},LINK_LIBRARIES>)
  target_include_directories(${objects} PRIVATE $<TARGET_PROPERTY:${name},INCLUDE_DIRECTORIES>
                                        INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${objects} PRIVATE $<TARGET_PROPERTY:${name},COMPILE_DEFINITIONS>)
  target_compile_options(${objects} PRIVATE $<TARGET_PROPERTY:${name},COMPILE_OPTIONS>)
  set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} SUFFIX .so)
  if(NFBUS_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${NFBUS_PLUGIN_OUTPUT_DIRECTORY})
  endif()
  if(NOT DEFINED NFBUS_PLUGIN_INSTALL_DIR)
    set(NFBUS_PLUGIN_INSTALL_DIR lib/nfbus/plugins)
  endif()
  if(NOT NFBUS_PLUGIN_INSTALL_DIR STREQUAL "NONE")
    install(TARGETS ${name} LIBRARY DESTINATION ${NFBUS_PLUGIN_INSTALL_DIR})
  endif()
endfunction()

# nfbus_add_privileged_part(PLUGIN SOURCES...): the target PLUGIN_privileged, built as PLUGIN.privileged.so, beside
# PLUGIN.so.
function(nfbus_add_privileged_part plugin)
  nfbus_add_plugin(${plugin}_privileged ${ARGN})
  set_target_properties(${plugin}_privileged PROPERTIES OUTPUT_NAME ${plugin}.privileged)
endfunction()
