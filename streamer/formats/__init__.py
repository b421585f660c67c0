"""Bytes of files and codecs: CMAF, MP4, H.264, VP8, the index, the record of erasures."""
