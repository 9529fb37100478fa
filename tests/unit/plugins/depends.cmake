# The plugins that these tests load.
add_dependencies(unit_plugins plugins_bad)
