# Makes one C file from migrations/NNN_name.sql: cmake -DDIRECTORY=… -DOUT=… -P embed_migrations.cmake
file(GLOB files ${DIRECTORY}/*.sql)
list(SORT files)
set(rows "")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  if(NOT name MATCHES "^([0-9][0-9][0-9])_([a-z_]+)$")
    message(FATAL_ERROR "${file} is not named NNN_name.sql")
  endif()
  math(EXPR version "1${CMAKE_MATCH_1} - 1000")
  set(table_name ${CMAKE_MATCH_2})
  file(READ ${file} sql)
  string(REPLACE "\\" "\\\\" sql "${sql}")
  string(REPLACE "\"" "\\\"" sql "${sql}")
  string(REPLACE "\n" "\\n\"\n     \"" sql "${sql}")
  string(APPEND rows "    {${version}, \"${table_name}\",\n     \"${sql}\"},\n")
endforeach()
file(WRITE ${OUT} "// Made by embed_migrations.cmake from server/store/migrations.
#include \"store/migrate.h\"

_Static_assert(STORE_SCHEMA_VERSION == ${version}, \"store.h does not name the newest migration\");

const struct migration migration_table[] = {
${rows}    {0, 0, 0},
};
")
