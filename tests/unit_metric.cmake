grange_unit_test(metric LINK grange_study)
