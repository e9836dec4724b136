grange_unit_test(farm LINK grange_certs grange_farm)
grange_unit_test(link_greet LINK grange_proto)
grange_unit_test(link_tls LINK grange_proto grange_certs)
grange_unit_test(link_no_tls LINK grange_proto)
