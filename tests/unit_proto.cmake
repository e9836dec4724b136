foreach(name wire wire_damage)
  grange_unit_test(${name} LINK grange_proto
    SOURCES unit/wire_samples.c unit/wire_samples_farm.c unit/wire_same.c unit/wire_same_farm.c)
endforeach()
grange_unit_test(link LINK grange_proto)
foreach(name client client_futures client_many client_progress client_lost client_wrong client_verbs client_ends client_again)
  grange_unit_test(${name} SOURCES unit/client_fake.c unit/client_fake_calls.c LINK grange_client)
endforeach()
foreach(name client_engines client_engines_told client_engines_near)
  grange_unit_test(${name} SOURCES unit/client_engines_fake.c LINK grange_client)
endforeach()

# Under the thread sanitizer: the two with threads, and what they send. Without Criterion's sandbox.
foreach(name wire wire_damage link client client_futures client_many client_progress client_lost client_wrong client_verbs client_ends client_again client_engines
    client_engines_told client_engines_near)
  if(GRANGE_SANITIZE STREQUAL "thread" AND TARGET unit_${name})
    target_include_directories(unit_${name} BEFORE PRIVATE plain)
    set_tests_properties(unit.${name} PROPERTIES LABELS "unit;sanitize;threads" ENVIRONMENT
      "TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/plain/tsan.supp")
  endif()
endforeach()
