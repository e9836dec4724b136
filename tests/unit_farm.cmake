grange_unit_test(farm LINK grange_certs grange_farm)
