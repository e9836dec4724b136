grange_unit_test(link LINK grange_proto)
