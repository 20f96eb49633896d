"""What the headers of the C interface promise beside what it does: every function is called by a
test that is written in C and has its place in the plugin's table, and the reasons are those of the
C++ interface.

declared.py ROOT checks the tree; then it plants one mistake of every kind and checks that it is
found, so that the test cannot become blind.
"""

import os
import re
import sys

HEADERS = "include/siptls/c"
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
FUNCTION = re.compile(r"SIPTLS_C_API\s[^;(]*?\b(siptls_\w+)\s*\(")
CALL = re.compile(r"\b(siptls_\w+)\s*\(")
REASON = re.compile(r"\bSIPTLS_E_(\w+)\s*=\s*(\d+)")
CATEGORY = re.compile(r"\bSIPTLS_CATEGORY_(\w+)\s*=\s*(\d+)")


def read(root, path, comments=False):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    return text if comments else COMMENT.sub(" ", text)


def declared(texts):
    return [name for text in texts for name in FUNCTION.findall(text)]


def enumerators(text, name):
    body = re.search(r"enum class " + name + r"\s*:[^{]*\{(.*?)\}", COMMENT.sub(" ", text),
                     re.DOTALL).group(1)
    return re.findall(r"^\s*(\w+)\s*(?:,|$)", body, re.MULTILINE)


def check_calls(functions, tests):
    called = set(name for text in tests for name in CALL.findall(STRING.sub('""', text)))
    return [f"{name} is called by no test in C" for name in functions if name not in called]


def check_table(functions, plugin_header, plugin_source):
    """The table has every function once, and is filled in its own order."""
    table = re.search(r"struct siptls_functions\s*\{(.*?)\}", plugin_header, re.DOTALL).group(1)
    members = ["siptls_" + name for name in re.findall(r"\(\s*\*\s*(\w+)\s*\)\s*\(", table)]
    filled = re.findall(r"&\s*(siptls_\w+)", plugin_source)
    problems = [f"{name} has no place in the plugin's table"
                for name in functions if name not in members]
    problems += [f"the plugin's table has {name} twice"
                 for name in sorted(set(members)) if members.count(name) > 1]
    for place, name in enumerate(members):
        found = filled[place] if place < len(filled) else "nothing"
        if found != name:
            problems.append(f"the plugin's table has {found} in the place of {name}")
            break
    return problems


def check_fields(headers, tests):
    """Every field of the structs with a size is one of those that the tests cut behind."""
    problems, cut = [], {}
    for struct, name in re.findall(r"\bFIELD\((\w+),\s*(\w+)\)", "\n".join(tests)):
        cut.setdefault(struct, []).append(name)
    for body, struct in re.findall(r"typedef struct \w+ \{([^}]*)\} (\w+);", "\n".join(headers)):
        if not re.match(r"\s*size_t size;", body):
            continue
        fields = re.findall(r"(?:(\w+)|\(\*(\w+)\)\([^)]*\))\s*;", body)
        fields = [name or pointer for name, pointer in fields]
        if fields != cut.get(struct):
            problems.append(f"{struct} has the fields {fields}, "
                            f"and is cut behind {cut.get(struct)}")
    return problems


def check_limits(headers, options_source):
    """Each limit of a transport is taken from the field of its own name, and none is left out.
    Few of them could be told apart by what a transport does within a short time."""
    body = re.search(r"typedef struct siptls_transport_limits \{([^}]*)\}", "\n".join(headers))
    fields = sorted(set(re.findall(r"(\w+);", body.group(1))) - {"size", "framer"})
    problems = []
    for function, pattern in (("default_limits", r"out\.(\w+) = [^;]*\blimits\.(\w+)"),
                              ("read_limits", r"into\.(\w+) = [^;]*\bgiven\.(\w+)")):
        text = re.search(function + r"\([^)]*\) noexcept \{(.*?)\n\}", options_source, re.DOTALL)
        copies = re.findall(pattern, text.group(1)) if text else []
        copied = sorted(to for to, source in copies if to == source)
        if copied != fields:
            problems.append(f"{function} copies {copied}, and the limits are {fields}")
    return problems


# The fields of siptls_policy that the C++ policy has under another name.
POLICY_NAMES = {"wildcard": "names.wildcard", "common_name": "names.common_name",
                "clock_policy": "clock", "cipher_suite_count": None, "group_count": None,
                "signature_scheme_count": None, "size": None, "preset": None}


def check_policy(headers, policy_source):
    """Each setting of a policy becomes the one of its name, and none is left out."""
    body = re.search(r"typedef struct siptls_policy \{([^}]*)\}", "\n".join(headers)).group(1)
    fields = {name: POLICY_NAMES.get(name, name) for name in re.findall(r"(\w+);", body)}
    expected = sorted((name, to) for name, to in fields.items() if to is not None)
    taken = sorted(re.findall(r"\btake\(policy\.(\w+),[^()]*?\bout->([\w.]+)\)", policy_source))
    if taken != expected:
        return [f"the policy takes {taken}, and has {expected}"]
    return []


def check_reasons(error_h, error_hpp):
    problems = []
    reasons = [(name.lower(), int(number)) for name, number in REASON.findall(error_h)]
    errc = enumerators(error_hpp, "Errc")
    names = [name for name, _ in reasons]
    problems += [f"{name} of Errc is no reason of error.h" for name in errc if name not in names]
    problems += [f"{name} of error.h is no Errc" for name in names if name not in errc]
    numbers = [number for _, number in reasons]
    problems += [f"two reasons have the number {number}"
                 for number in sorted(set(numbers)) if numbers.count(number) > 1]
    categories = [(name.lower(), int(number)) for name, number in CATEGORY.findall(error_h)]
    expected = [("none", 0)] + [(name, number + 1)
                                for number, name in enumerate(enumerators(error_hpp, "Category"))]
    if categories != expected:
        problems.append(f"the categories are {categories}, not {expected}")
    # Errc stands in the order of its categories, with the name of each above its reasons.
    body = re.search(r"enum class Errc[^{]*\{(.*?)\n\};", error_hpp, re.DOTALL)
    category = None
    number_of = dict(categories)
    for line in body.group(1).splitlines():
        title = re.match(r"\s*// (\w+)$", line)
        if title and title.group(1) in number_of:
            category = number_of[title.group(1)]
        name = re.match(r"\s*(\w+),?", line)
        if name and not line.strip().startswith("//"):
            for reason, number in reasons:
                if reason == name.group(1) and number // 100 != category:
                    problems.append(f"{reason} has {number}, and belongs to category {category}")
    return problems


def load(root):
    headers = sorted(os.listdir(os.path.join(root, HEADERS)))
    folder = os.path.join(root, "tests", "capi")
    return {
        "headers": [read(root, f"{HEADERS}/{name}") for name in headers],
        "tests": [read(root, f"tests/capi/{name}")
                  # Where everything is NULL, nothing is shown to work.
                  for name in sorted(os.listdir(folder))
                  if name.endswith(".c") and not name.startswith("null_")],
        "plugin_header": read(root, "include/siptls/siptls_plugin.h"),
        "plugin_source": read(root, "src/capi/plugin.cpp"),
        "policy": read(root, "src/capi/policy.cpp"),
        "options": read(root, "src/capi/options.cpp"),
        "error_h": read(root, f"{HEADERS}/error.h"),
        "error_hpp": read(root, "include/siptls/error.hpp", comments=True),
    }


def check(tree):
    functions = declared(tree["headers"])
    return (check_calls(functions, tree["tests"]) +
            check_table(functions, tree["plugin_header"], tree["plugin_source"]) +
            check_fields(tree["headers"], tree["tests"]) +
            check_limits(tree["headers"], tree["options"]) +
            check_policy(tree["headers"], tree["policy"]) +
            check_reasons(tree["error_h"], tree["error_hpp"]))


def blind_spots(tree):
    """Each kind of mistake is found where it is planted."""
    def with_change(key, change):
        changed = dict(tree)
        changed[key] = change(tree[key])
        return check(changed)

    extra = "SIPTLS_C_API int siptls_planted(void);"
    plants = [
        ("headers", lambda texts: texts + [extra], "siptls_planted is called by no test"),
        ("headers", lambda texts: texts + [extra], "siptls_planted has no place"),
        ("tests", lambda texts: [text.replace("siptls_group_name(", "f(") for text in texts],
         "siptls_group_name is called by no test"),
        ("tests", lambda texts: [re.sub(r"\bsiptls_is_sips\(", '"siptls_is_sips("; g(', text)
                                 for text in texts], "siptls_is_sips is called by no test"),
        ("plugin_source", lambda text: text.replace("&siptls_error_new", "&siptls_error_free", 1),
         "in the place of siptls_error_new"),
        ("headers", lambda texts: [text.replace("size_t chains;", "size_t chains;  size_t more;")
                                   for text in texts], "siptls_chain_memory has the fields"),
        ("policy", lambda text: text.replace("out->names.wildcard)", "out->names.common_name)"),
         "the policy takes"),
        ("options", lambda text: text.replace("given.write_timeout", "given.close_timeout"),
         "read_limits copies"),
        ("options", lambda text: re.sub(r"out\.idle_timeout = [^;]*;", "", text),
         "default_limits copies"),
        ("error_h", lambda text: text.replace("SIPTLS_E_EXPIRED", "SIPTLS_E_LATE"),
         "expired of Errc is no reason"),
        ("error_h", lambda text: text.replace("SIPTLS_E_EXPIRED", "SIPTLS_E_LATE"),
         "late of error.h is no Errc"),
        ("error_h", lambda text: re.sub(r"SIPTLS_E_EXPIRED = \d+", "SIPTLS_E_EXPIRED = 1016", text),
         "two reasons have the number 1016"),
        ("error_h", lambda text: re.sub(r"SIPTLS_E_EXPIRED = \d+", "SIPTLS_E_EXPIRED = 1117", text),
         "expired has 1117"),
        ("error_h", lambda text: text.replace("SIPTLS_CATEGORY_CLOCK", "SIPTLS_CATEGORY_TIME"),
         "the categories are"),
    ]
    return [f"this test is blind: {expected}" for key, change, expected in plants
            if not any(expected in line for line in with_change(key, change))]


def main():
    tree = load(os.path.abspath(sys.argv[1]))
    problems = check(tree)
    problems += blind_spots(tree)
    for line in problems:
        print(line)
    print(f"{len(declared(tree['headers']))} functions, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
