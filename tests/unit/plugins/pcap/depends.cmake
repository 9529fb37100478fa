# libpcap judges what is written; real packets are decoded as the host does.
target_link_libraries(unit_plugin_pcap PRIVATE nfbus_decode PkgConfig::PCAP)
