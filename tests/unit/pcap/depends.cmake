# The plugin's own library and its entry, through which the tests drive it as the host does; libpcap judges.
set(pcap_folder ${PROJECT_SOURCE_DIR}/plugins/sinks/pcap)
target_sources(unit_pcap PRIVATE ${pcap_folder}/pcap.cpp)
target_include_directories(unit_pcap PRIVATE ${pcap_folder} ${PROJECT_SOURCE_DIR}/tests/data)
target_link_libraries(unit_pcap PRIVATE nfbus_decode PkgConfig::PCAP)
