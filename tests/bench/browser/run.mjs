// Chromium for the benchmark. One order a line on the standard input, one answer a line on the standard output (JSON).
//
//   {"do": "watch", "url": …, "seconds": …, "settle": …}   delays of the pictures shown in that time, in ms
//   {"do": "plain", "url": …, "hls": …, …}                 the same for hls.js without LL-HLS; url is a playlist,
//                                                          page an address of the same site
//   {"do": "open",  "url": …}                              first frame after the navigation began, in ms
//   {"do": "wait",  "url": …} then {"do": "first"}         a page that waits for a broadcast; UTC ms of its first frame
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const web = path.resolve(here, '../../../web');
const { chromium } = createRequire(path.join(web, 'package.json'))('playwright-core');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-background-timer-throttling'],
});

const newPage = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  await page.addInitScript({ path: path.join(here, 'strip.js') });
  return page;
};

const shown = (page, limit) =>
  page.waitForFunction(() => window.__bench.first !== null, null, { timeout: limit, polling: 50 });

const sample = async (page, { settle, seconds }) => {
  await shown(page, 30000);
  await page.waitForTimeout(settle * 1000);
  await page.evaluate(() => Object.assign(window.__bench, { delays: [], presented: 0, unread: 0 }));
  await page.waitForTimeout(seconds * 1000);
  return page.evaluate(() => {
    const { delays, presented, unread, size } = window.__bench;
    return { delays, presented, unread, size };
  });
};

let waiting = null;

const orders = {
  async watch(order) {
    const page = await newPage();
    try {
      await page.goto(order.url, { waitUntil: 'commit' });
      return await sample(page, order);
    } finally {
      await page.context().close();
    }
  },

  async plain(order) {
    const page = await newPage({ bypassCSP: true });
    try {
      await page.goto(order.page, { waitUntil: 'load' });
      await page.setContent('<video muted autoplay playsinline width="640"></video>');
      await page.addScriptTag({ path: path.join(web, 'node_modules/hls.js/dist/hls.min.js') });
      await page.evaluate((url) => {
        const video = document.querySelector('video');
        window.__benchWatch(video);
        const hls = new window.Hls({ lowLatencyMode: false });
        hls.loadSource(url);
        hls.attachMedia(video);
      }, order.url);
      return await sample(page, order);
    } finally {
      await page.context().close();
    }
  },

  async open(order) {
    const page = await newPage();
    try {
      await page.goto(order.url, { waitUntil: 'commit' });
      await shown(page, 30000);
      return { first: await page.evaluate(() => window.__bench.first) };
    } finally {
      await page.context().close();
    }
  },

  async wait(order) {
    waiting = await newPage();
    await waiting.goto(order.url, { waitUntil: 'load' });
    return {};
  },

  async first() {
    try {
      await shown(waiting, 30000);
      return { firstUtc: await waiting.evaluate(() => window.__bench.firstUtc) };
    } finally {
      await waiting.context().close();
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let answer;
  try {
    answer = await orders[order.do](order);
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
