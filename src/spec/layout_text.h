#pragma once

#include <string>

#include "spec/layout.h"

/// Layouts as people write them.
namespace filigree::spec {

/// A layout from a JSON file, or from inline text:
///
///     parse_layout("tp=8,pp=16,vpp=2,ep=4,mbs=2,recompute=norms+qkv-up")
///
/// Fields that are not named keep their defaults. Error on an unknown key, a value of the wrong kind, or a text that is
/// neither a file nor of the form key=value.
Layout parse_layout(const std::string& text_or_path);

/// The shortest inline text that parse_layout reads back as the same layout: the fields that differ from their default,
/// in declaration order. "" for the default layout.
std::string short_text(const Layout& layout);

}  // namespace filigree::spec
