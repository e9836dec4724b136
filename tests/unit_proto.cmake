grange_unit_test(link LINK grange_proto)
grange_unit_test(client LINK grange_client)
