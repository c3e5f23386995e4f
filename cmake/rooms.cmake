# A room is src/<name>/: every .cpp below it, except *_test.cpp, is one static library
# keelway_<name>. Every *_test.cpp below it is one test program test_<name>.
#
#   keelway_room(<name> [ROOMS <lower rooms>...] [LIBRARIES <imported targets>...]
#                [GENERATED <files>...])
#
# ROOMS is what the room may include; tools/layers checks the includes against it, and the
# program link_<name> proves that the library links with nothing else.

set(KEELWAY_LINK_MAIN ${CMAKE_BINARY_DIR}/link_main.cpp)
file(WRITE ${KEELWAY_LINK_MAIN}.new "int main() { return 0; }\n")
file(COPY_FILE ${KEELWAY_LINK_MAIN}.new ${KEELWAY_LINK_MAIN} ONLY_IF_DIFFERENT)

function(keelway_precompile target)
  if(NOT KEELWAY_PCH)
    return()
  endif()
  if(NOT TARGET keelway_pch)
    file(WRITE ${CMAKE_BINARY_DIR}/pch.cpp "")
    add_library(keelway_pch OBJECT ${CMAKE_BINARY_DIR}/pch.cpp)
    target_precompile_headers(keelway_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
  endif()
  target_precompile_headers(${target} REUSE_FROM keelway_pch)
endfunction()

function(keelway_room name)
  cmake_parse_arguments(ROOM "" "" "ROOMS;LIBRARIES;GENERATED" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(APPEND sources ${ROOM_GENERATED})
  list(TRANSFORM ROOM_ROOMS PREPEND keelway_ OUTPUT_VARIABLE room_targets)
  if(sources)
    add_library(keelway_${name} STATIC ${sources})
    target_include_directories(keelway_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(keelway_${name} PUBLIC ${room_targets} ${ROOM_LIBRARIES})
    keelway_precompile(keelway_${name})
  else()
    add_library(keelway_${name} INTERFACE)
    target_include_directories(keelway_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(keelway_${name} INTERFACE ${room_targets} ${ROOM_LIBRARIES})
  endif()
  if(NOT KEELWAY_TESTS)
    return()
  endif()
  if(sources)
    add_executable(link_${name} ${KEELWAY_LINK_MAIN})
    target_link_libraries(link_${name} PRIVATE
      -Wl,--whole-archive $<TARGET_FILE:keelway_${name}> -Wl,--no-whole-archive keelway_${name})
    add_dependencies(link_${name} keelway_${name})
  endif()
  if(tests)
    add_executable(test_${name} ${tests})
    target_link_libraries(test_${name} PRIVATE keelway_${name} GTest::gtest_main)
    keelway_precompile(test_${name})
    add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()
