# grange_library(NAME SOURCES... LINK LIBS...)  an internal static library of one folder
# grange_unit_test(NAME LINK LIBS...)           tests/unit/NAME.c with Criterion, run by ctest
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(lib jansson sqlite3 libzstd libxxhash libprotobuf-c libpcre2-8 yaml-0.1 criterion)
  string(REGEX REPLACE "[^A-Za-z0-9]" "_" id ${lib})
  if(lib STREQUAL "criterion")
    pkg_check_modules(${id} IMPORTED_TARGET ${lib})
  else()
    pkg_check_modules(${id} REQUIRED IMPORTED_TARGET ${lib})
  endif()
endforeach()
find_library(NNG_LIBRARY nng REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)

add_library(grange_flags INTERFACE)
target_include_directories(grange_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_definitions(grange_flags INTERFACE _GNU_SOURCE)
target_compile_options(grange_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Werror -g
  -fno-omit-frame-pointer
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> # texts for people are cut on purpose: snprintf says how
  $<$<C_COMPILER_ID:Clang>:-Wno-string-conversion>) # must(!"why we cannot be here")
if(GRANGE_SANITIZE)
  target_compile_options(grange_flags INTERFACE -fsanitize=${GRANGE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(grange_flags INTERFACE -fsanitize=${GRANGE_SANITIZE})
endif()

function(grange_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC grange_flags ${arg_LINK})
endfunction()

function(grange_unit_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  foreach(lib ${arg_LINK})
    if(lib MATCHES "^grange_" AND NOT TARGET ${lib})
      return() # that part is not built: see GRANGE_FOLDERS
    endif()
  endforeach()
  add_executable(unit_${name} unit/${name}.c ${arg_SOURCES})
  target_link_libraries(unit_${name} PRIVATE grange_flags PkgConfig::criterion ${arg_LINK})
  set_target_properties(unit_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME unit.${name} COMMAND unit_${name} --jobs 1)
  set_tests_properties(unit.${name} PROPERTIES LABELS "unit;sanitize" TIMEOUT 900
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()
