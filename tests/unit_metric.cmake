grange_unit_test(metric LINK grange_study)
grange_unit_test(yaml LINK grange_study)
