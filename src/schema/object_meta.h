// The tables of ObjectMeta, for kinds that are made at run time.
#pragma once

#include "schema/kind.h"

namespace keelway::schema {

const Struct& object_meta_struct();

}  // namespace keelway::schema
