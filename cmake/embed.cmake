# keelway_embed_text(<variable> <namespace> <function> <file>): a text file of the repo as
# `std::string_view <namespace>::<function>()`; appends the generated source to <variable>.
function(keelway_embed_text variable namespace function file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  set(out ${CMAKE_BINARY_DIR}/generated/embedded/${function}.cpp)
  file(WRITE ${out}.new "#include <string_view>\n\nnamespace ${namespace} {\n\n"
       "std::string_view ${function}();\n\n"
       "std::string_view ${function}() {\n  return R\"keelway(${text})keelway\";\n}\n\n"
       "}  // namespace ${namespace}\n")
  file(COPY_FILE ${out}.new ${out} ONLY_IF_DIFFERENT)
  set(${variable} ${${variable}} ${out} PARENT_SCOPE)
endfunction()
