'use strict';
/** Time between two clips from which a curve has a gap, in milliseconds. */
const GAP = 250;
/** Maximum zoom, and shortest time in view, in milliseconds. */
const MOST = 128, SHORTEST = 20e3;
/** Width of a keyframe of the zoomed timeline, in pixels. */
const WIDTH = 100;
/** Pause before a screen reader is told the values, in milliseconds. */
const PAUSE = 250;
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400].map(step => step * 1000);

document.documentElement.classList.add('js');
const byId = id => document.getElementById(id);
const data = JSON.parse(byId('data').textContent);

/** Returns the number that `length` digits of `text` are. */
function unpack(text, at, length) {
  let number = 0;
  for (let end = at + length; at < end; at++) number = number * 64 + DIGITS.indexOf(text[at]);
  return number;
}

/** Returns the spans of packed text: start, end and index of the shot. */
function spans(text) {
  const list = [];
  for (let at = 0; at < text.length; at += 14) {
    list.push({ start: unpack(text, at, 5), end: unpack(text, at + 5, 5), shot: unpack(text, at + 10, 4) });
  }
  return list;
}

const clips = spans(data.clips), shots = spans(data.shots);
/** Returns a value in tenths of a per cent, or null. */
function value(genre, clip) {
  const packed = unpack(data.values[genre], clip * 2, 2);
  return packed > 1000 ? null : packed;
}

const share = value => value === null ? '–' : `${(value / 10).toFixed(1)}%`;

/** Returns a time as hours, minutes and seconds. */
function clock(time, decimals = 0) {
  const seconds = Math.floor(time / 1000), two = number => String(number).padStart(2, '0');
  const whole = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return decimals ? `${whole}.${Math.floor(time % 1000 / 100)}` : whole;
}

/** Returns a new element with this class and these children. Strings become text. */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Returns a new element of SVG with these attributes. */
function shape(name, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Returns the keyframe of a shot as a new element, or null. */
function keyframe(shot, attributes = {}) {
  const image = byId(`k${shot}`);
  if (!image) return null;
  const viewBox = `0 0 ${image.getAttribute('width')} ${image.getAttribute('height')}`;
  return shape('svg', { viewBox, ...attributes }, shape('use', { href: `#k${shot}` }));
}

/** Returns the start timecode of a shot, as the table has it. */
function timecode(shot) {
  return byId(`s${shot}`)?.querySelector('b').textContent;
}

/** Goes to a shot in the table. */
function visit(shot) {
  const row = byId(`s${shot}`);
  if (!row) return;
  document.querySelector('tr.current')?.classList.remove('current');
  row.classList.add('current');
  row.tabIndex = -1;
  row.scrollIntoView({ block: 'center' });
  row.focus({ preventScroll: true });
}

/** Copies a text, and says so in `status`. */
async function copy(text, status) {
  let isDone = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element('textarea', 'unseen');
    area.value = text;
    document.body.append(area);
    area.select();
    isDone = document.execCommand('copy');
    area.remove();
  }
  status.textContent = isDone ? `Copied ${text.length > 20 ? 'the text' : text}` : 'The browser does not permit copying.';
}

/** The curves, the shots above them, and a cursor over both. */
class Timeline {
  constructor() {
    this.zoom = 1;
    this.cursor = null;
    this.track = byId('track');
    this.scroller = byId('scroller');
    this.lanes = [...document.querySelectorAll('.lane')];
    this.boxes = [...document.querySelectorAll('#timeline input')];
    this.slider = byId('lanes');
    this.static = { axis: [...this.nodes('.axis')],
      lines: [...document.querySelectorAll('.thumbnails')].map(line => [...line.childNodes]),
      paths: this.lanes.map(lane => lane.querySelector('path').getAttribute('d')) };
    const attributes = { role: 'slider', tabindex: 0, 'aria-orientation': 'horizontal', 'aria-describedby': 'keys',
      'aria-label': 'Time in the film', 'aria-valuemin': 0, 'aria-valuemax': Math.round(data.length / 1000),
      'aria-valuenow': 0, 'aria-valuetext': 'start of the film' };
    for (const [name, text] of Object.entries(attributes)) this.slider.setAttribute(name, text);
    this.listen();
    this.setZoom(1);
  }

  nodes(selector) { return this.track.querySelector(selector)?.childNodes || []; }

  listen() {
    this.track.addEventListener('pointermove', event => this.move(this.clipAt(this.timeAt(event))));
    this.slider.addEventListener('pointerdown', event => this.move(this.clipAt(this.timeAt(event))));
    this.track.addEventListener('pointerleave', event => {
      if (event.pointerType === 'mouse' && document.activeElement !== this.slider) this.move(null);
    });
    this.slider.addEventListener('keydown', event => this.press(event));
    this.slider.addEventListener('focus', () => { if (this.cursor === null) this.move(0); });
    this.track.querySelector('.strip').addEventListener('click', event => {
      const shot = this.shotAt(this.timeAt(event));
      if (shot) visit(shot.shot);
    });
    this.track.addEventListener('click', event => {
      const link = event.target.closest('.thumbnails a');
      if (!link) return;
      event.preventDefault();
      visit(link.getAttribute('href').slice(2));
    });
    for (const box of this.boxes) {
      box.addEventListener('change', () => {
        this.lanes[box.value].classList.toggle('off', !box.checked);
        this.draw(box.value);
        this.show();
      });
    }
    byId('in').addEventListener('click', () => this.setZoom(this.zoom * 2));
    byId('out').addEventListener('click', () => this.setZoom(this.zoom / 2));
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = this.cursor ?? 0, last = clips.length - 1;
    const keys = {
      ArrowLeft: () => at - 1, ArrowDown: () => at - 1, ArrowRight: () => at + 1, ArrowUp: () => at + 1,
      PageUp: () => this.shotBeside(at, -1), PageDown: () => this.shotBeside(at, 1), Home: () => 0, End: () => last,
    };
    if (event.key in keys) this.move(Math.min(Math.max(keys[event.key](), 0), last), true);
    else if (event.key === 'Enter') visit(clips[at].shot);
    else if (event.key === 'Escape') this.move(null);
    else if (event.key === '+' || event.key === '-') this.setZoom(event.key === '+' ? this.zoom * 2 : this.zoom / 2);
    else return;
    event.preventDefault();
  }

  /** Returns the first clip of the shot before or after that of a clip. */
  shotBeside(at, step) {
    let to = at;
    while (clips[to] && clips[to].shot === clips[at].shot) to += step;
    if (step < 0) while (to > 0 && clips[to - 1].shot === clips[to].shot) to--;
    return to;
  }

  timeAt(event) {
    const box = this.track.getBoundingClientRect();
    return (event.clientX - box.left) / box.width * data.length;
  }

  /** Returns the last one of `list` that begins before a time. */
  before(list, time) {
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle].start <= time) low = middle + 1; else high = middle;
    }
    return Math.max(0, low - 1);
  }

  clipAt(time) { return this.before(clips, time); }
  shotAt(time) { return shots[this.before(shots, time)]; }

  /** Puts the cursor on a clip, or hides it. */
  move(clip, isSpoken = false) {
    if (clip !== null && clip === this.cursor) return;
    this.cursor = clip;
    this.show();
    if (clip === null) return;
    const { start, shot } = clips[clip], text = `${clock(start, 1)}, shot ${shot}`;
    this.slider.setAttribute('aria-valuenow', Math.round(start / 1000));
    this.slider.setAttribute('aria-valuetext', text);
    if (!isSpoken) return;
    this.reveal(start);
    clearTimeout(this.pause);
    this.pause = setTimeout(() => {
      byId('told').textContent = this.ranked(clip).map(({ name, value }) => `${name} ${share(value)}`).join(', ');
    }, PAUSE);
  }

  /** Returns the chosen genres of a clip, the highest first. */
  ranked(clip) {
    const genres = this.boxes.filter(box => box.checked).map(box => {
      const label = box.closest('label'), marker = label.querySelector('.marker').textContent;
      const name = label.querySelector('bdi').textContent;
      return { name, marker, className: label.className, value: value(Number(box.value), clip) };
    });
    return genres.sort((a, b) => (b.value ?? -1) - (a.value ?? -1));
  }

  /** Shows the cursor and its values. */
  show() {
    const needle = byId('needle'), clip = clips[this.cursor];
    needle.hidden = !clip;
    if (!clip) return;
    needle.style.left = `${(clip.start + clip.end) / 2 / data.length * 100}%`;
    const link = element('a', '', `Shot ${clip.shot}`);
    if (byId(`s${clip.shot}`)) link.href = `#s${clip.shot}`;
    const code = timecode(clip.shot);
    byId('when').replaceChildren(`${clock(clip.start, 1)} to ${clock(clip.end, 1)}, `, link, code ? `, from ${code}` : '');
    const picture = keyframe(clip.shot);
    byId('picture').replaceChildren(picture || shape('svg', {}));
    byId('now').replaceChildren(...this.ranked(this.cursor).map(({ name, marker, className, value }) =>
      element('li', className, element('span', 'marker', marker), ' ', element('bdi', '', name),
        element('span', 'number', share(value)))));
  }

  /** Scrolls until a time is in view. */
  reveal(time) {
    const x = time / data.length * this.track.clientWidth, { scrollLeft, clientWidth } = this.scroller;
    if (x < scrollLeft + 20 || x > scrollLeft + clientWidth - 20) this.scroller.scrollLeft = x - clientWidth / 2;
  }

  setZoom(zoom) {
    const most = Math.min(MOST, 2 ** Math.floor(Math.log2(Math.max(1, data.length / SHORTEST))));
    zoom = Math.min(Math.max(zoom, 1), most);
    const middle = this.cursor === null
      ? (this.scroller.scrollLeft + this.scroller.clientWidth / 2) / this.track.clientWidth * data.length
      : clips[this.cursor].start;
    const isChanged = zoom !== this.zoom;
    this.zoom = zoom;
    byId('out').disabled = zoom <= 1;
    byId('in').disabled = zoom >= most;
    if (isChanged) byId('view').textContent = zoom === 1 ? 'Whole film' : `${clock(data.length / zoom)} in view`;
    if (!isChanged) return;
    this.track.style.width = `${zoom * 100}%`;
    this.lanes.forEach((_, genre) => this.draw(genre));
    this.drawThumbnails();
    this.drawAxis();
    this.scroller.scrollLeft = middle / data.length * this.track.clientWidth - this.scroller.clientWidth / 2;
  }

  /** Draws a curve: all clips if zoomed, else as the page came. */
  draw(genre) {
    const lane = this.lanes[genre];
    if (lane.classList.contains('off')) return;
    lane.querySelector('path').setAttribute('d', this.zoom === 1 ? this.static.paths[genre] : this.path(Number(genre)));
  }

  path(genre) {
    const x = time => (time / data.length * 10000).toFixed(2);
    let path = '', end = null;
    clips.forEach((clip, at) => {
      const level = value(genre, at);
      if (level === null) return;
      if (end === null || clip.start - end > GAP) path += `${end === null ? '' : 'V1000'}M${x(clip.start)} 1000`;
      path += `V${1000 - level}H${x(clip.end)}`;
      end = clip.end;
    });
    return end === null ? path : `${path}V1000`;
  }

  drawThumbnails() {
    const lines = [...this.track.querySelectorAll('.thumbnails')];
    if (this.zoom === 1) { lines.forEach((line, at) => line.replaceChildren(...this.static.lines[at])); return; }
    const line = lines.find(line => line.checkVisibility());
    if (!line) return;
    const room = WIDTH / this.track.clientWidth * data.length, made = [];
    let free = 0;
    for (const { start, shot } of shots) {
      if (start < free || start + room > data.length) continue;
      const picture = keyframe(shot, { x: `${start / data.length * 100}%`, width: WIDTH - 4, height: '100%',
        preserveAspectRatio: 'xMidYMid slice' });
      if (!picture) continue;
      made.push(shape('a', { href: `#s${shot}`, 'aria-label': `Shot ${shot}, ${timecode(shot)}` }, picture));
      free = start + room;
    }
    line.replaceChildren(...made);
  }

  drawAxis() {
    const axis = this.track.querySelector('.axis');
    axis.classList.toggle('zoomed', this.zoom > 1);
    if (this.zoom === 1) { axis.replaceChildren(...this.static.axis); return; }
    const least = data.length / this.track.clientWidth * 90, step = STEPS.find(step => step >= least) || STEPS[15];
    const made = [];
    for (let time = 0; time < data.length; time += step) {
      const x = `${time / data.length * 100}%`, text = shape('text', { x, dx: 3, y: 14 }, clock(time));
      made.push(shape('line', { x1: x, x2: x, y1: 0, y2: 5 }), text);
    }
    axis.replaceChildren(...made);
  }
}

/** Adds a button to each row, which copies its timecodes. One of them is reached by Tab, the others by arrow keys. */
function addCopyButtons() {
  const table = document.querySelector('table.shots');
  if (!table) return;
  const rows = [...table.tBodies[0].rows], status = byId('copied');
  const codes = row => [...row.querySelectorAll('b')].map(code => code.textContent);
  const head = element('th', '', element('span', 'unseen', 'Copy'));
  head.scope = 'col';
  table.tHead.rows[0].append(head);
  rows.forEach((row, at) => {
    const button = element('button', '', 'Copy');
    button.type = 'button';
    button.tabIndex = at ? -1 : 0;
    button.setAttribute('aria-label', `Copy timecodes of shot ${row.cells[0].textContent}`);
    row.append(element('td', '', button));
  });
  table.addEventListener('click', event => {
    const button = event.target.closest('button');
    if (button) copy(codes(button.closest('tr')).join('\t'), status);
  });
  table.addEventListener('keydown', event => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key], button = event.target.closest('button');
    if (!step || !button) return;
    const next = rows[rows.indexOf(button.closest('tr')) + step]?.querySelector('button');
    event.preventDefault();
    if (!next) return;
    button.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  byId('copy-all').addEventListener('click', () => {
    const lines = rows.map(row => [row.cells[0].textContent, ...codes(row), row.cells[4].textContent].join('\t'));
    copy(['shot\tstart\tend\tkind', ...lines].join('\n'), status);
  });
}

if (clips.length && document.querySelector('.lane')) new Timeline();
addCopyButtons();
byId('copy-command').addEventListener('click', () => copy(byId('command').textContent, byId('command-copied')));
