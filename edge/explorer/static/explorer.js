// What the pages do beyond being read: copying, ages, the live head, charts. Every page is complete without it.
"use strict";
(() => {
  const announce = (words) => {
    const region = document.getElementById("announcements");
    if (region) region.textContent = words;
  };

  // Copying
  const place = (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden-words";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("not copied"));
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    place(button.dataset.copy).then(
      () => {
        button.classList.add("done");
        announce("Copied");
        setTimeout(() => button.classList.remove("done"), 1500);
      },
      () => announce("Copying is not allowed here"),
    );
  });

  // Ages: how long ago, beside the time itself
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const age = (milliseconds) => {
    const seconds = Math.max(0, Math.round((Date.now() - milliseconds) / 1000));
    for (const [length, name] of units) {
      if (seconds >= length) return `${Math.floor(seconds / length)} ${name} ago`;
    }
    return "now";
  };
  let waiting = 0;
  const dress = () => {
    for (const button of document.querySelectorAll("button.copy[hidden]")) button.hidden = false;
    for (const field of document.querySelectorAll(".age[data-ms]")) {
      const words = age(Number(field.dataset.ms));
      if (field.textContent !== words) field.textContent = words;
    }
    for (const field of document.querySelectorAll("[data-without-script]")) field.hidden = true;
    if (document.querySelector("[data-again]") && !waiting) {
      waiting = setTimeout(() => {
        waiting = 0;
        document.body.dispatchEvent(new CustomEvent("newhead"));
      }, 1000);
    }
  };

  // The live head: one stream a page; whoever listens for `newhead` reloads its part
  const listen = () => {
    const pulse = document.getElementById("pulse");
    if (!pulse || !window.EventSource) return;
    const words = document.getElementById("pulse-words");
    const state = (on) => {
      pulse.classList.toggle("on", on);
      pulse.classList.toggle("off", !on);
      words.textContent = on ? "live" : "not live";
    };
    const onHead = (event) => {
      const head = JSON.parse(event.data);
      state(true);
      const link = document.getElementById("pulse-height");
      if (!link) return window.location.reload();
      const known = link.dataset.height;
      link.textContent = head.height.toLocaleString("en");
      link.dataset.height = head.height;
      link.href = `/block/${head.height}`;
      if (known !== String(head.height)) document.body.dispatchEvent(new CustomEvent("newhead", { detail: head }));
      return undefined;
    };
    // A page that nobody looks at holds no connection: browsers have few for one address.
    let source = null;
    const follow = () => {
      if (document.hidden) {
        if (source) source.close();
        source = null;
      } else if (!source) {
        source = new EventSource("/live");
        source.addEventListener("open", () => state(true));
        source.addEventListener("error", () => state(false));
        source.addEventListener("head", onHead);
      }
    };
    document.addEventListener("visibilitychange", follow);
    window.addEventListener("pagehide", () => source && source.close());
    follow();
  };

  // Charts
  const colours = ["#3d7fd6", "#c8781a", "#2f9a66", "#a457c4", "#c2484d", "#4aa5b5", "#8a8f3b", "#7d6b5d"];
  const draw = (figure) => {
    const chart = JSON.parse(figure.dataset.chart);
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--quiet").trim();
    const grid = { stroke: style.getPropertyValue("--line").trim(), width: 1 };
    const target = figure.querySelector(".plot");
    const size = () => ({ width: Math.max(200, target.clientWidth), height: 220 });
    const show = (unit) => (plot, value) => (value === null || value === undefined ? "–" : `${Number(value.toPrecision(4))} ${unit}`);
    const long = chart.times.length > 1 && chart.times[chart.times.length - 1] - chart.times[0] > 2 * 86400;
    const clock = (plot, splits) => splits.map((value) => new Date(value * 1000).toISOString().slice(...(long ? [5, 10] : [11, 16])));
    const fallback = target.firstElementChild;
    const options = {
      ...size(),
      series: [
        { label: "UTC", value: (plot, value) => (value ? new Date(value * 1000).toISOString().slice(0, 16).replace("T", " ") : "–") },
        ...chart.series.map((line, index) => ({
          label: line.name,
          stroke: colours[index % colours.length],
          // A young chain has one point, and a line needs two.
          points: { show: line.points.filter((value) => value !== null).length < 30, size: 5 },
          width: 1.5,
          value: show(line.unit),
          spanGaps: false,
        })),
      ],
      scales: { y: { range: (plot, least, most) => [0, (most || 1) * 1.1] } },
      axes: [{ stroke: ink, grid, ticks: grid, values: clock }, { stroke: ink, grid, ticks: grid, size: 56 }],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    };
    const plot = new uPlot(options, [chart.times, ...chart.series.map((line) => line.points)], target);
    if (fallback) fallback.remove();
    const list = figure.querySelector(".legend");
    if (list) list.hidden = true;
    new ResizeObserver(() => plot.setSize(size())).observe(target);
  };

  document.addEventListener("DOMContentLoaded", () => {
    dress();
    listen();
    setInterval(dress, 1000);
    if (window.uPlot) for (const figure of document.querySelectorAll("figure[data-chart]")) draw(figure);
  });
  document.addEventListener("htmx:after:swap", dress);
})();
