//! What a person types, normalised.
