#pragma once

#include <string>
#include <string_view>

/// HTML texts.
namespace filigree {

/// Text in which & < > " ' stand as entities, for use in an element or a quoted attribute.
std::string escape_html(std::string_view text);

}  // namespace filigree
