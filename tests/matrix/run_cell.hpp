// Runs one cell and holds what both ends saw against what had to come of it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "matrix/cell.hpp"
#include "matrix/far_process.hpp"
#include "matrix/oracle.hpp"
#include "matrix/our_end.hpp"
#include "siptls/tls_context.hpp"

namespace matrix {

// Certificates of both ends, one of each kind of key, made once; in a folder for the far end.
class Certificates {
 public:
  Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;
  ~Certificates();

  const siptls::Credentials& credentials(Key key, bool server) const;
  const siptls::TrustStore& trust() const { return *trust_; }
  // For a far end: `path`.pem and `path`.key, and the roots.
  std::string path(Key key, bool server) const;
  std::string trust_path() const { return folder_ + "/roots.pem"; }

 private:
  void write(const std::string& name, const std::string& text);

  std::string folder_;
  std::vector<std::string> files_;
  std::map<std::pair<Key, bool>, siptls::Credentials> credentials_;
  std::optional<siptls::TrustStore> trust_;
};

struct CellReport {
  std::vector<std::string> problems;  // none: the cell is as it must be
  std::size_t connections = 0;
  bool hung = false;
  bool resumed = false;
  bool retried = false;
  std::string story;  // of the last connection: how it ended at both ends, and its messages
};

CellReport run_cell(const Cell& cell, FarLibrary library, const Certificates& certificates,
                    FarProcess& far);

}  // namespace matrix
