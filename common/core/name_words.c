// Our own words, chosen so that no pair of them says anything unkind. Their order is fixed for good: names are made of
// it.
#include "common/core/name_words.h"

const char *const name_adjectives[NAME_WORDS] = {
    "Able",     "Agile",  "Airy",   "Alert",    "Amber",  "Ample",    "Apt",     "Ardent",   "Balmy",   "Blithe",
    "Bold",     "Brave",  "Breezy", "Bright",   "Brisk",  "Bubbly",   "Calm",    "Candid",   "Careful", "Cheery",
    "Chill",    "Civic",  "Clean",  "Clear",    "Clever", "Coastal",  "Comfy",   "Cosmic",   "Cozy",    "Crisp",
    "Curious",  "Dapper", "Daring", "Dazzling", "Deft",   "Dewy",     "Eager",   "Early",    "Earnest", "Easy",
    "Elegant",  "Epic",   "Fabled", "Fair",     "Fancy",  "Fearless", "Festive", "Fleet",    "Fluffy",  "Fond",
    "Frank",    "Fresh",  "Frosty", "Gallant",  "Gentle", "Gifted",   "Glad",    "Gleaming", "Golden",  "Graceful",
    "Grand",    "Handy",  "Happy",  "Hardy",    "Hearty", "Humble",   "Icy",     "Ideal",    "Jaunty",  "Jolly",
    "Jovial",   "Joyful", "Keen",   "Kind",     "Leafy",  "Lively",   "Loyal",   "Lucid",    "Lucky",   "Lunar",
    "Mellow",   "Merry",  "Mighty", "Mild",     "Minty",  "Modest",   "Neat",    "Nimble",   "Noble",   "Novel",
    "Peaceful", "Peachy", "Placid", "Playful",  "Plucky", "Polite",   "Prime",   "Proud",    "Quick",   "Quiet",
    "Radiant",  "Rapid",  "Ready",  "Regal",    "Rosy",   "Rustic",   "Serene",  "Sharp",    "Shiny",   "Silver",
    "Sincere",  "Smart",  "Snowy",  "Snug",     "Solar",  "Sparkly",  "Spry",    "Steady",   "Stellar", "Sturdy",
    "Sunny",    "Swift",  "Tidy",   "Tranquil", "Trusty", "Upbeat",   "Velvet",  "Verdant",
};

const char *const name_nouns[NAME_WORDS] = {
    "Acorn",   "Alpaca",  "Anchor",   "Apple",    "Aspen",  "Badger",  "Bagel",   "Bamboo",   "Beacon",  "Bicycle",
    "Birch",   "Bison",   "Breeze",   "Bridge",   "Brook",  "Button",  "Cactus",  "Canyon",   "Canoe",   "Caribou",
    "Cedar",   "Cello",   "Chestnut", "Clover",   "Comet",  "Compass", "Condor",  "Coral",    "Cricket", "Daisy",
    "Dingo",   "Dolphin", "Donut",    "Dragon",   "Eagle",  "Echo",    "Elk",     "Ember",    "Falcon",  "Fern",
    "Ferret",  "Finch",   "Fjord",    "Flamingo", "Fox",    "Galaxy",  "Gazelle", "Gecko",    "Glacier", "Goose",
    "Harbor",  "Hare",    "Hazel",    "Hedgehog", "Heron",  "Hippo",   "Ibex",    "Iguana",   "Iris",    "Island",
    "Jaguar",  "Kettle",  "Kite",     "Kiwi",     "Koala",  "Lagoon",  "Lantern", "Lark",     "Lemur",   "Lily",
    "Llama",   "Lobster", "Lotus",    "Lynx",     "Mango",  "Maple",   "Marble",  "Marmot",   "Meadow",  "Meteor",
    "Moose",   "Nebula",  "Newt",     "Ocelot",   "Orbit",  "Orca",    "Otter",   "Owl",      "Panda",   "Pebble",
    "Pelican", "Penguin", "Pepper",   "Pickle",   "Pigeon", "Pine",    "Planet",  "Plum",     "Pony",    "Puffin",
    "Quail",   "Quartz",  "Rabbit",   "Raven",    "River",  "Robin",   "Rocket",  "Salmon",   "Seal",    "Sloth",
    "Sparrow", "Squid",   "Swan",     "Tapir",    "Teapot", "Thistle", "Tiger",   "Toucan",   "Tulip",   "Turtle",
    "Violin",  "Walnut",  "Walrus",   "Willow",   "Wombat", "Yak",     "Zebra",   "Zeppelin",
};
