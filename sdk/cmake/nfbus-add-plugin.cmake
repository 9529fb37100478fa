# nfbus_add_plugin(NAME SOURCES...): the target NAME, built as NAME.so and installed into the plugin folder below the
# prefix. C++ sources are C++20, C sources C11.
#   NFBUS_PLUGIN_OUTPUT_DIRECTORY   build it there (default: as CMake does)
#   NFBUS_PLUGIN_INSTALL_DIR        install it there (default: lib/nfbus/plugins); NONE: do not
function(nfbus_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE nfbus::sdk)
  set_target_properties(${name} PROPERTIES
                        PREFIX "" OUTPUT_NAME ${name} SUFFIX .so
                        CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
                        C_STANDARD 11 C_STANDARD_REQUIRED ON
                        # Only the entry is visible: what two plugins share by name must not become one.
                        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  # g++ would make inline variables unique in the whole process, whatever their visibility.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
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
