// Tables for people.
#pragma once

#include <string>
#include <vector>

namespace keelway::cli {

// Columns are as wide as their widest cell; three spaces between, no trailing white space.
std::string format_table(const std::vector<std::string>& heads,
                         const std::vector<std::vector<std::string>>& rows);

}  // namespace keelway::cli
