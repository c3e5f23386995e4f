#include "cli/table.h"

#include <algorithm>

namespace keelway::cli {
namespace {

void append_row(std::string& out, const std::vector<std::string>& cells,
                const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 < cells.size()) line.append(widths[i] - cells[i].size() + 3, ' ');
  }
  while (line.ends_with(' ')) line.pop_back();
  out += line + '\n';
}

}  // namespace

std::string format_table(const std::vector<std::string>& heads,
                         const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(heads.size());
  for (std::size_t i = 0; i < heads.size(); ++i) widths[i] = heads[i].size();
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  append_row(out, heads, widths);
  for (const auto& row : rows) append_row(out, row, widths);
  return out;
}

}  // namespace keelway::cli
