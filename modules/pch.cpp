// The shared precompiled header is made while this file is compiled.
