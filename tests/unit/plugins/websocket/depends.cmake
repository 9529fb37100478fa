#Matches and JSON are the host's own.
target_link_libraries(unit_plugin_websocket PRIVATE websocket_rules nfbus_plugins nfbus_decode)
