// Walks through an explorer as a reader does, and prints as JSON what a reader would complain about.
//   node walk.cjs PLAN.json   {browser, base, folder, pages: [path], request, pending, party}
// Reads a line from standard input once it has printed {"waiting": ...}: then the pending request may be answered.
'use strict';
const fs = require('fs');
const readline = require('readline');
const { chromium } = require('playwright-core');

const plan = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const SIZES = { phone: { width: 375, height: 812 }, desk: { width: 1440, height: 900 } };
const findings = [];
const complain = (where, what) => findings.push(`${where}: ${what}`);

function listen(page, where) {
  page.on('console', (message) => message.type() === 'error' && complain(where(), `console: ${message.text()}`));
  page.on('pageerror', (error) => complain(where(), `script: ${error.message}`));
  page.on('requestfailed', (request) => {
    // What is under way when the reader goes on is given up by the browser itself.
    if (request.failure().errorText !== 'net::ERR_ABORTED') complain(where(), `not loaded: ${request.url()}`);
  });
}

async function look(page, path, name) {
  const answer = await page.goto(plan.base + path, { waitUntil: 'load' });
  if (answer.status() !== 200) complain(`${name} ${path}`, `status ${answer.status()}`);
  await page.waitForTimeout(150);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) complain(`${name} ${path}`, `${wide} px wider than the window`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  for (const { id, impact, nodes } of violations) {
    if (['serious', 'critical'].includes(impact)) complain(`${name} ${path}`, `${impact} ${id}: ${nodes[0].html.slice(0, 120)}`);
  }
  const file = `${name}${path.replace(/[^a-z0-9]+/gi, '-')}`.slice(0, 60);
  await page.screenshot({ path: `${plan.folder}/${file}.png`, fullPage: true });
}

async function everyPage(browser) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const context = await browser.newContext({ viewport, colorScheme });
      const page = await context.newPage();
      let at = '';
      listen(page, () => `${size} ${colorScheme} ${at}`);
      for (const path of plan.pages) {
        at = path;
        await look(page, path, `${size}-${colorScheme}`);
      }
      await context.close();
    }
  }
}

// Search, follow links, go back: what the reader lands on.
async function clicks(browser) {
  const page = await browser.newPage({ viewport: SIZES.desk });
  listen(page, () => `walk ${page.url()}`);
  await page.goto(plan.base + '/');
  for (const [text, lands] of plan.searches) {
    await page.locator('input[type=search]').first().fill(text);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**${lands}`, { timeout: 5000 }).catch(() => complain('search', `${text} leads to ${page.url()}`));
  }
  await page.goto(`${plan.base}/request/${plan.request}`);
  for (const prefix of ['/block/', '/party/', '/key/', '/application/']) {
    await page.goto(`${plan.base}/request/${plan.request}`);
    await page.locator(`main a[href^="${prefix}"]:visible`).first().click({ timeout: 5000 });
    await page.waitForLoadState();
    if (!page.url().includes(prefix)) complain('walk', `a link to ${prefix} leads to ${page.url()}`);
  }
  await page.close();
}

// Everything that matters is there without a script.
async function plain(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  for (const path of plan.pages) {
    await page.goto(plan.base + path);
    const text = await page.locator('main').innerText();
    if (text.trim().length < 20) complain(`plain ${path}`, 'is empty');
  }
  await context.close();
}

// The head moves and a request is decided while the reader looks on.
async function live(browser) {
  const page = await browser.newPage({ viewport: SIZES.desk });
  listen(page, () => `live ${page.url()}`);
  await page.goto(plan.base + '/');
  const before = await page.locator('main').innerText();
  await page.waitForFunction((text) => document.querySelector('main').innerText !== text, before, { timeout: 20000 })
    .catch(() => complain('live', 'the first page stands still'));
  await page.goto(`${plan.base}/request/${plan.pending}`);
  if (!/pending/i.test(await page.locator('main').innerText())) complain('live', 'the request is not shown as pending');
  await page.evaluate(() => { window.untouched = true; });
  console.log(JSON.stringify({ waiting: plan.pending }));
  await new Promise((resolve) => readline.createInterface({ input: process.stdin }).once('line', resolve));
  await page.waitForFunction(() => /fulfilled/i.test(document.querySelector('main').innerText), null, { timeout: 60000 })
    .catch(() => complain('live', 'the decided request still looks pending'));
  if (!(await page.evaluate(() => window.untouched))) complain('live', 'the page was loaded again');
  await page.close();
}

(async () => {
  const browser = await chromium.launch({
    executablePath: plan.browser,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  try {
    await everyPage(browser);
    await clicks(browser);
    await plain(browser);
    await live(browser);
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify({ findings }));
  process.exit(0);
})().catch((error) => { console.log(JSON.stringify({ findings: [...findings, String(error)] })); process.exit(1); });
