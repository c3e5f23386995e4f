# Kinds as data: tools/kindgen turns YAML into C++ at build time.
#
#   keelway_kind_tables(<variable> <folder>)   tables of the YAML files of a folder of kinds
#   keelway_embed(<variable> <function> <folder>)   the YAML documents of a folder as JSON constants

set(KEELWAY_KINDGEN ${CMAKE_SOURCE_DIR}/tools/kindgen/kindgen.py)
file(GLOB KEELWAY_KINDGEN_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/kindgen/*.py)

# An interpreter that has PyYAML (Debian: python3-yaml); another Python may come first in PATH.
function(keelway_can_import_yaml result candidate)
  execute_process(COMMAND ${candidate} -c "import yaml" RESULT_VARIABLE code OUTPUT_QUIET
                  ERROR_QUIET)
  if(NOT code EQUAL 0)
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()
find_program(KEELWAY_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH
             VALIDATOR keelway_can_import_yaml)
find_program(KEELWAY_PYTHON NAMES python3 REQUIRED VALIDATOR keelway_can_import_yaml)

function(keelway_kind_tables variable folder)
  file(GLOB_RECURSE inputs CONFIGURE_DEPENDS ${folder}/*/v*.yaml)
  execute_process(COMMAND ${KEELWAY_PYTHON} ${KEELWAY_KINDGEN} list --source ${folder}
                  OUTPUT_VARIABLE names OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  set(out ${CMAKE_BINARY_DIR}/generated/kinds)
  list(TRANSFORM names PREPEND ${out}/ OUTPUT_VARIABLE outputs)
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${KEELWAY_PYTHON} ${KEELWAY_KINDGEN} tables --source ${folder} --out ${out}
    DEPENDS ${inputs} ${KEELWAY_KINDGEN_SOURCES}
    COMMENT "Generating tables of kinds")
  set(${variable} ${${variable}} ${outputs} PARENT_SCOPE)
endfunction()

function(keelway_embed variable function folder)
  file(GLOB inputs CONFIGURE_DEPENDS ${folder}/*.yaml)
  set(out ${CMAKE_BINARY_DIR}/generated/kinds/${function}.cpp)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${KEELWAY_PYTHON} ${KEELWAY_KINDGEN} embed --out ${out} --function ${function}
            --namespace keelway::kinds --header kinds/embedded.h ${inputs}
    DEPENDS ${inputs} ${KEELWAY_KINDGEN_SOURCES}
    COMMENT "Embedding ${function}")
  set(${variable} ${${variable}} ${out} PARENT_SCOPE)
endfunction()

if(KEELWAY_TESTS)
  add_test(NAME kindgen COMMAND ${KEELWAY_PYTHON} ${CMAKE_SOURCE_DIR}/tools/kindgen/kindgen_test.py)
endif()
