# Makes the comments of the public headers ones that Doxygen reads: a comment above code describes
# what follows it, and a comment behind code describes that code. The one at the top describes the
# file. What Doxygen shows is thereby what the headers say.

# Ends of namespaces and of include guards, and headings between members, describe nothing.
/^} *\/\/ namespace/b
/^#endif/b
/^ *\/\/ ---/d
# Specialisations of std::hash: nothing of std is in the reference.
/^template <>$/{
  N
  /std::hash/{
    :hash
    N
    /\n};$/d
    b hash
  }
}

# C++
1s|^// |/// @file\n/// |
s|^\( *\)//$|\1///|
s|^\( *\)// |\1/// |
s|^\(.*[^ /].*\)  // |\1  ///< |
# C
1s|^/\* |/** @file\n * |
s|^\( *\)/\* |\1/** |
s|^\( *[^ /*].*\) /\* |\1 /**< |
