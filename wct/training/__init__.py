"""Training of encoders and decoders. Imports the rest of wct; nothing of the rest imports it."""
