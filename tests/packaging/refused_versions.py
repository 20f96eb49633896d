"""find_package refuses a version that is not compatible: a later patch than the installed one, and
every other minor or major, since before 1.0 a minor version may change the API.

refused_versions.py FACTS
"""

import os

import packages
from packages import FACTS, PREFIX, common, expect

# A script, not a project: when the version is refused, nothing of the package is read.
ASK = """
cmake_policy(VERSION 3.25)
set(CMAKE_PREFIX_PATH "{prefix}")
set(CMAKE_LIBRARY_ARCHITECTURE "{architecture}")
find_package(siptls {version} CONFIG QUIET)
message("found ${{siptls_FOUND}} considered ${{siptls_CONSIDERED_VERSIONS}}")
"""


def main():
    major, minor, patch = map(int, FACTS["version"].split("."))
    asked = [f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}", f"{major + 1}.0",
             f"{major}.{minor}.{patch + 7} EXACT",
             f"{major}.{minor + 1}...{major}.{minor + 9}"]
    if minor:
        asked.append(f"{major}.{minor - 1}")
    folder = packages.fresh("refused")
    for version in asked:
        script = os.path.join(folder, "ask.cmake")
        with open(script, "w", encoding="utf-8") as file:
            file.write(ASK.format(prefix=PREFIX, version=version,
                                  architecture=os.path.basename(FACTS["libdir"])))
        answer = common.run_or_fail(["cmake", "-P", script], env=packages.environment()).strip()
        print(f"{version}: {answer}")
        # Considered: it was there and was refused for its version, not merely not found.
        expect(answer.startswith("found 0") and answer.endswith(f"considered {FACTS['version']}"),
               f"{version} was asked for: {answer}")
    # That 0.1 is taken is what the other tests need; here, the message for people.
    build = packages.fresh("refused_project")
    with open(os.path.join(build, "CMakeLists.txt"), "w", encoding="utf-8") as file:
        file.write("cmake_minimum_required(VERSION 3.25)\nproject(later LANGUAGES NONE)\n"
                   f"find_package(siptls {major}.{minor + 1} CONFIG REQUIRED)\n")
    done = common.run(["cmake", "-S", build, "-B", os.path.join(build, "build"),
                       f"-DCMAKE_PREFIX_PATH={PREFIX}"], env=packages.environment())
    expect(done.returncode != 0 and f"version: {FACTS['version']}" in done.stdout,
           f"a project that wants a later version ended with {done.returncode}:\n{done.stdout}")
    packages.finish()


if __name__ == "__main__":
    main()
