# grange_fuzz(NAME SOURCES.. LINK LIBS..)  tests/fuzz/NAME_fuzz.c, twice: fuzz_NAME replays the corpus
# tests/fuzz/corpus/NAME as a test; libfuzzer_NAME, with GRANGE_FUZZ and clang, searches:
#   build-fuzz/tests/libfuzzer_wire -max_len=4096 FOUND tests/fuzz/corpus/wire
# What it finds goes into the corpus. `fuzz_NAME --seeds DIR` writes the valid inputs to start from.
function(grange_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  foreach(lib ${arg_LINK})
    if(NOT TARGET ${lib})
      return() # that part is not built: see GRANGE_FOLDERS
    endif()
  endforeach()
  add_executable(fuzz_${name} fuzz/${name}_fuzz.c fuzz/replay.c ${arg_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE grange_flags ${arg_LINK})
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME fuzz.${name}_replay COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(fuzz.${name}_replay PROPERTIES LABELS "fuzz;sanitize" TIMEOUT 600)
  if(GRANGE_FUZZ)
    foreach(lib ${arg_LINK})
      target_compile_options(${lib} PRIVATE -fsanitize=fuzzer-no-link)
    endforeach()
    add_executable(libfuzzer_${name} fuzz/${name}_fuzz.c ${arg_SOURCES})
    target_compile_options(libfuzzer_${name} PRIVATE -fsanitize=fuzzer-no-link)
    target_link_options(libfuzzer_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(libfuzzer_${name} PRIVATE grange_flags ${arg_LINK})
    set_target_properties(libfuzzer_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  endif()
endfunction()

grange_fuzz(wire SOURCES unit/wire_samples.c unit/wire_samples_farm.c LINK grange_proto)
grange_fuzz(study LINK grange_study)
grange_fuzz(engine LINK grange_worker)
