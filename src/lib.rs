//! wsecho.
