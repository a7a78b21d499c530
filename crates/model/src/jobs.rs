//! Jobs: long work that goes on over restarts.
