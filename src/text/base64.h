#pragma once

#include <string>
#include <string_view>

namespace filigree::text {

/// RFC 4648, section 4, padding optional. Error where the text is not base64; `where` names file and place.
std::string decode_base64(std::string_view text, const std::string& where);

}  // namespace filigree::text
