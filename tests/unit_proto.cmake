grange_unit_test(wire SOURCES unit/wire_samples.c LINK grange_proto)
grange_unit_test(link LINK grange_proto)
grange_unit_test(client LINK grange_client)
