// Reads the test card's strip out of a playing <video>: the other half of streamer/room/testcard.py, whose module
// comment says how the strip is laid out. Runs in the page, before the page's own scripts.
(() => {
  const CELLS = 56;
  const BITS = 42;
  const CRC_BITS = 10;
  const CRC_POLYNOMIAL = 0x233;
  const TOP = 0.02;
  const BOTTOM = 0.08;
  const LEAST_CONTRAST = 40;
  const READ_EVERY_MS = 90; // reading a picture back is not free, and not every one is needed

  const crc = (bits) => {
    let register = 0;
    for (const bit of bits) {
      const high = (register >> (CRC_BITS - 1)) & 1;
      register = ((register << 1) & 0x3ff) ^ (high ^ bit ? CRC_POLYNOMIAL : 0);
    }
    return register;
  };

  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });

  // UTC milliseconds, or null where no strip can be read with certainty.
  const read = (video) => {
    const width = video.videoWidth;
    const height = video.videoHeight;
    const margin = (BOTTOM - TOP) * 0.3;
    const top = Math.round((TOP + margin) * height);
    const rows = Math.max(1, Math.round((BOTTOM - margin) * height) - top);
    if (width < 3 * CELLS || !height) return null;
    canvas.width = width;
    canvas.height = rows;
    context.drawImage(video, 0, top, width, rows, 0, 0, width, rows);
    const pixels = context.getImageData(0, 0, width, rows).data;
    const level = (cell) => {
      const size = width / CELLS;
      const centre = (cell + 0.5) * size;
      const reach = Math.max(size * 0.2, 0.5);
      const from = Math.floor(centre - reach);
      const to = Math.max(Math.floor(centre + reach), from + 1);
      let sum = 0;
      for (let y = 0; y < rows; y += 1) {
        for (let x = from; x < to; x += 1) sum += pixels[(y * width + x) * 4 + 1];
      }
      return sum / (rows * (to - from));
    };
    const levels = Array.from({ length: CELLS }, (_, cell) => level(cell));
    const white = (levels[0] + levels[CELLS - 1]) / 2;
    const black = (levels[1] + levels[CELLS - 2]) / 2;
    if (white - black < LEAST_CONTRAST) return null;
    const bits = levels.map((value) => (value > (white + black) / 2 ? 1 : 0));
    if (!bits[0] || !bits[CELLS - 1] || bits[1] || bits[CELLS - 2]) return null;
    const word = bits.slice(2, 2 + BITS);
    const check = bits.slice(2 + BITS, 2 + BITS + CRC_BITS).reduce((value, bit) => value * 2 + bit, 0);
    if (crc(word) !== check) return null;
    return word.reduce((value, bit) => value * 2 + bit, 0); // 42 bits: a shift would cut them off
  };

  const bench = { first: null, firstUtc: null, presented: 0, unread: 0, delays: [], size: '', read };
  window.__bench = bench;

  const watch = (video) => {
    if (video.__benched) return;
    video.__benched = true;
    let last = 0;
    const onFrame = (now, meta) => {
      // When the picture is on the screen, by this machine's clock, which also wrote the strip.
      const shown = Date.now() + (meta.expectedDisplayTime - performance.now());
      if (bench.first === null) {
        bench.first = meta.expectedDisplayTime; // milliseconds since the navigation began
        bench.firstUtc = shown;
      }
      bench.presented += 1;
      bench.size = `${meta.width}x${meta.height}`;
      if (now - last >= READ_EVERY_MS) {
        last = now;
        const captured = read(video);
        if (captured === null) bench.unread += 1;
        else bench.delays.push(shown - captured);
      }
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
  };

  new MutationObserver(() => document.querySelectorAll('video').forEach(watch)).observe(document, {
    childList: true,
    subtree: true,
  });
  window.__benchWatch = watch;
})();
